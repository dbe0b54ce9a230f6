# bob hears VLAN 10 and speaks in VLAN 20: make VLAN 10 his PVID and take his port out of VLAN 20.
overtap lab shell --lab ex-asymmetric-vlan h2 -- overtap vlan add dev bob vid 10 pvid untagged
overtap lab shell --lab ex-asymmetric-vlan h2 -- overtap vlan del dev bob vid 20
