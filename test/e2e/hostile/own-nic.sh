# A guest that does with its NIC whatever the owner of a network namespace may: renames it, moves it to another namespace of its own,
# deletes it, over and over, until SIGTERM.
#
#   sh own-nic.sh IFNAME FAR    FAR: pid of a process in the other namespace
#
# Prints "begun" at first, and at the end a line of JSON: what was done, and how often a round found the NIC there again.
ifname=$1 far=$2 near=$$
rounds=0 renamed=0 moved=0 back=0 deleted=0 absent=0
# A round is finished: where it ended in the middle, a NIC might be left down, or in the other namespace, for good.
over=0
trap over=1 TERM
try() { "$@" 2>/dev/null; }
echo begun
while [ $over -eq 0 ]; do
  if ! try ip link show "$ifname" >/dev/null; then
    absent=$((absent + 1))
    sleep 0.1
    continue
  fi
  rounds=$((rounds + 1))
  try ip link set "$ifname" down
  try ip link set "$ifname" name mine && renamed=$((renamed + 1))
  sleep 0.05
  try ip link set mine name "$ifname"
  try ip link set "$ifname" up
  if try ip link set "$ifname" netns "$far"; then
    moved=$((moved + 1))
    sleep 0.05
    try nsenter --target "$far" --net ip link set "$ifname" netns "$near" && back=$((back + 1))
    try ip link set "$ifname" up
  fi
  # Some are left to carry frames for a while.
  [ $((rounds % 3)) -eq 0 ] && sleep 0.3
  [ $((rounds % 2)) -eq 0 ] && try ip link delete "$ifname" && deleted=$((deleted + 1))
done
printf '{"rounds":%d,"renamed":%d,"moved":%d,"back":%d,"deleted":%d,"absent":%d}\n' $rounds $renamed $moved $back $deleted $absent
