# The untagged frames of bob need a VLAN: make VLAN 10 the PVID of his port.
overtap lab shell --lab ex-missing-pvid h2 -- overtap vlan add dev bob vid 10 pvid untagged
