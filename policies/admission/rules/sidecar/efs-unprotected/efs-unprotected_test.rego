package admission.rules.sidecar["efs-unprotected_test"]

import data.admission.rules.sidecar["efs-unprotected"] as rule

request(volume) := {"object": {"volumes": [{"name": "other"}, volume]}}

efs(configuration) := request({"name": "v", "efsVolumeConfiguration": configuration})

test_without_encryption_and_authorization_it_is_a_finding[configuration] if {
	some configuration in [
		{},
		{"transitEncryption": "ENABLED"},
		{"transitEncryption": "ENABLED", "authorizationConfig": {"iam": "DISABLED"}},
		{"transitEncryption": "ENABLED", "authorizationConfig": {"accessPointId": "fsap-01234567"}},
		{"authorizationConfig": {"iam": "ENABLED"}},
		{"transitEncryption": "DISABLED", "authorizationConfig": {"iam": "ENABLED"}},
	]
	rule.findings == {{"at": "/volumes/1/efsVolumeConfiguration"}} with input as efs(configuration)
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/0", "/volumes/1"}
}

test_with_both_it_is_none if {
	protected := {"transitEncryption": "ENABLED", "authorizationConfig": {"iam": "ENABLED"}}
	rule.findings == set() with input as efs(protected)
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/1"}
}

test_without_secrets_it_is_none if {
	rule.findings == set() with input as efs({}) with data.admission.lib.sidecar.secret_volumes as {"/volumes/0"}
}

test_another_volume_is_none if {
	rule.findings == set() with input as request({"name": "v", "host": {}})
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/1"}
}

test_one_that_is_likely_to_have_secrets_is_told_apart if {
	expected := {{"at": "/volumes/1/efsVolumeConfiguration", "variant": "likely"}}
	rule.findings == expected with input as efs({"transitEncryption": "ENABLED"})
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/0", "/volumes/1"}
}
