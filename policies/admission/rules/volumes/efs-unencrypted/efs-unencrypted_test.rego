package admission.rules.volumes["efs-unencrypted_test"]

import data.admission.rules.volumes["efs-unencrypted"] as rule

request(configuration) := {"object": {"volumes": [{"name": "a"}, {"name": "b", "efsVolumeConfiguration": configuration}]}}

at := "/volumes/1/efsVolumeConfiguration"

test_without_encryption_it_is_a_finding[configuration] if {
	some configuration in [
		{},
		{"transitEncryption": "DISABLED"},
		{"authorizationConfig": {}},
		{"authorizationConfig": {"iam": "DISABLED", "accessPointId": ""}},
	]
	rule.findings == {{"at": at}} with input as request(configuration)
}

test_what_needs_encryption_is_told_apart[authorization] if {
	some authorization in [{"iam": "ENABLED"}, {"accessPointId": "fsap-01234567"}]
	expected := {{"at": at, "variant": "contradiction"}}
	rule.findings == expected with input as request({"authorizationConfig": authorization})
	rule.findings == expected with input as request({"transitEncryption": "DISABLED", "authorizationConfig": authorization})
}

test_with_encryption_it_is_none if {
	rule.findings == set() with input as request({"transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}})
}

test_another_volume_is_none if {
	rule.findings == set() with input.object.volumes as [{"name": "a", "host": {}}]
}

test_the_volume_of_a_sidecar_is_left_to_another_rule if {
	rule.findings == set() with input.object.volumes as [{"name": "a", "efsVolumeConfiguration": {}}]
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/0"}
}

test_one_that_is_likely_to_be_one_is_left_to_it_except_what_ecs_refuses if {
	rule.findings == set() with input.object.volumes as [{"name": "a", "efsVolumeConfiguration": {}}]
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/0"}
	refused := {"authorizationConfig": {"iam": "ENABLED"}}
	expected := {{"at": "/volumes/0/efsVolumeConfiguration", "variant": "contradiction"}}
	rule.findings == expected with input.object.volumes as [{"name": "a", "efsVolumeConfiguration": refused}]
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/0"}
}
