package admission.rules.sidecar["writable-mount_test"]

import data.admission.rules.sidecar["writable-mount"] as rule

pairs := {{"reader": "/containerDefinitions/0", "writer": "/containerDefinitions/1", "volume": "v"}}

request(reader) := {"object": {"containerDefinitions": [reader, {"name": "a", "mountPoints": [{"sourceVolume": "v"}]}]}}

mounting(points) := request({"name": "app", "mountPoints": points})

writing := mounting([{"sourceVolume": "w"}, {"sourceVolume": "v"}])

at := "/containerDefinitions/0/mountPoints/1"

test_a_reader_that_may_write_is_a_finding if {
	rule.findings == {{"at": at}} with input as writing with data.admission.lib.sidecar.pairs as pairs
}

test_a_likely_one_is_told_apart if {
	rule.findings == {{"at": at, "variant": "likely"}} with input as writing
		with data.admission.lib.sidecar.likely_pairs as pairs
}

test_each_mount_is_one if {
	points := [{"sourceVolume": "v"}, {"sourceVolume": "v", "readOnly": false}, {"sourceVolume": "v", "readOnly": true}]
	expected := {{"at": "/containerDefinitions/0/mountPoints/0"}, {"at": at}}
	rule.findings == expected with input as mounting(points) with data.admission.lib.sidecar.pairs as pairs
}

test_volumes_taken_from_the_sidecar_are_one if {
	reader := {"name": "app", "volumesFrom": [{"sourceContainer": "a"}]}
	expected := {{"at": "/containerDefinitions/0/volumesFrom/0"}}
	rule.findings == expected with input as request(reader) with data.admission.lib.sidecar.pairs as pairs
}

test_a_reader_that_only_reads_is_none[reader] if {
	some reader in [
		{"name": "app", "mountPoints": [{"sourceVolume": "v", "readOnly": true}]},
		{"name": "app", "volumesFrom": [{"sourceContainer": "a", "readOnly": true}]},
	]
	rule.findings == set() with input as request(reader)
		with data.admission.lib.sidecar.pairs as pairs
		with data.admission.lib.sidecar.likely_pairs as pairs
}

test_the_writer_has_to_write if {
	rule.findings == set() with input as mounting([]) with data.admission.lib.sidecar.pairs as pairs
}
