package admission.rules.isolation["host-namespaces_test"]

import data.admission.rules.isolation["host-namespaces"] as rule

test_a_namespace_of_the_host_is_a_finding[member] if {
	some member, variant in {"pidMode": "pid", "ipcMode": "ipc"}
	expected := {{"at": concat("", ["/", member]), "variant": variant}}
	rule.findings == expected with input.object as {member: "host"}
}

test_one_of_its_own_is_none[mode] if {
	some mode in ["task", "none", "<redacted-1>"]
	rule.findings == set() with input.object as {"pidMode": mode, "ipcMode": mode}
}

test_the_network_of_the_host_is_none if {
	rule.findings == set() with input.object as {"networkMode": "host"}
}
