/** States of a port, or of a VLAN at one, in the order of their numbers (BR_STATE_*, linux/if_bridge.h). */
export const PORT_STATES = ['disabled', 'listening', 'learning', 'forwarding', 'blocking'] as const;

export type PortStateName = (typeof PORT_STATES)[number];
