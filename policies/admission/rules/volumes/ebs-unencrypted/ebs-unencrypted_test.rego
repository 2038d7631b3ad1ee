package admission.rules.volumes["ebs-unencrypted_test"]

import data.admission.rules.volumes["ebs-unencrypted"] as rule

test_a_volume_without_encryption_is_a_finding if {
	expected := {{"at": "/volumeConfigurations/1/managedEBSVolume/encrypted"}}
	rule.findings == expected with input.object.volumeConfigurations as [
		{"name": "a", "managedEBSVolume": {"encrypted": true}},
		{"name": "b", "managedEBSVolume": {"encrypted": false}},
	]
}

test_one_that_leaves_it_to_the_region_is_none if {
	rule.findings == set() with input.object.volumeConfigurations as [
		{"name": "a", "managedEBSVolume": {"sizeInGiB": 10}},
		{"name": "b"},
	]
}
