package admission.rules.sidecar["host-path_test"]

import data.admission.rules.sidecar["host-path"] as rule

request(host) := {"object": {"volumes": [{"name": "other"}, {"name": "v", "host": host}]}}

folder := request({"sourcePath": "/srv/v"})

test_a_folder_of_the_host_with_secrets_is_a_finding if {
	rule.findings == {{"at": "/volumes/1/host"}} with input as folder
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/0", "/volumes/1"}
}

test_one_that_is_likely_to_have_some_is_told_apart if {
	rule.findings == {{"at": "/volumes/1/host", "variant": "likely"}} with input as folder
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/0", "/volumes/1"}
}

test_one_without_secrets_is_none if {
	rule.findings == set() with input as folder
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/0"}
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/0"}
}

test_a_volume_that_goes_with_the_task_is_none[host] if {
	some host in [{}, {"sourcePath": ""}]
	rule.findings == set() with input as request(host)
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/0", "/volumes/1"}
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/0", "/volumes/1"}
}

test_a_path_that_is_not_shown_is_one if {
	rule.findings == {{"at": "/volumes/1/host"}} with input as request({"sourcePath": "<redacted-1>"})
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/1"}
}

test_a_device_of_docker_is_told_apart if {
	device := [{"name": "other"}, {"name": "v", "dockerVolumeConfiguration": {"driverOpts": {"device": "<redacted>"}}}]
	expected := {{"at": "/volumes/1/dockerVolumeConfiguration/driverOpts", "variant": "device"}}
	rule.findings == expected with input.object.volumes as device
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/0", "/volumes/1"}
	rule.findings == expected with input.object.volumes as device
		with data.admission.lib.sidecar.likely_volumes as {"/volumes/0", "/volumes/1"}
	rule.findings == set() with input.object.volumes as device
		with data.admission.lib.sidecar.secret_volumes as {"/volumes/0"}
}
