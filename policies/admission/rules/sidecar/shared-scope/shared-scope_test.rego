package admission.rules.sidecar["shared-scope_test"]

import data.admission.rules.sidecar["shared-scope"] as rule

request(configuration) := {"object": {"volumes": [
	{"name": "other"},
	{"name": "v", "dockerVolumeConfiguration": configuration},
]}}

at := "/volumes/1/dockerVolumeConfiguration/scope"

test_a_shared_volume_with_secrets_is_a_finding[configuration] if {
	some configuration in [{"scope": "shared"}, {"autoprovision": true}]
	rule.findings == {{"at": at}} with input as request(configuration)
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/0", "/volumes/1"}
}

test_one_that_is_likely_to_have_some_is_told_apart if {
	rule.findings == {{"at": at, "variant": "likely"}} with input as request({"scope": "shared"})
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/0", "/volumes/1"}
}

test_one_without_secrets_is_none if {
	rule.findings == set() with input as request({"scope": "shared"})
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/0"}
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/0"}
}

test_the_volume_of_a_task_is_none[configuration] if {
	some configuration in [{"scope": "task"}, {"scope": "task", "autoprovision": false}, {"driver": "local"}]
	rule.findings == set() with input as request(configuration)
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/1"}
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/1"}
}
