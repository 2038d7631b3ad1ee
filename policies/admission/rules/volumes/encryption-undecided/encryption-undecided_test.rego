package admission.rules.volumes["encryption-undecided_test"]

import data.admission.rules.volumes["encryption-undecided"] as rule

# A request with the second volume one of a sidecar.
asked(operation, definition, facts) := {"request": {"operation": operation}, "object": definition, "facts": facts}

secret := {"/volumes/1"}

with_volume(volume) := {"volumes": [{"name": "a"}, volume]}

task := with_volume({"name": "b", "host": {}})

registered(facts) := asked("RegisterTaskDefinition", task, facts)

fact(pointer, attributes) := object.union({"kind": "volume", "pointer": pointer}, attributes)

undecided := {{"at": "/volumes"}}

test_the_disk_of_a_host_cannot_be_decided[more] if {
	some more in [{}, {"requiresCompatibilities": []}, {"requiresCompatibilities": ["EC2", "EXTERNAL"]}]
	definition := object.union(task, more)
	rule.findings == undecided with input as asked("RegisterTaskDefinition", definition, [])
		with data.admission.lib.sidecar.secret_volumes as secret
}

test_a_fact_that_says_nothing_of_it_does_not_decide[known] if {
	some known in [fact("/volumes/1", {}), fact("/volumes/0", {"encrypted": true})]
	rule.findings == undecided with input as registered([known])
		with data.admission.lib.sidecar.secret_volumes as secret
}

test_a_fact_decides if {
	rule.findings == set() with input as registered([fact("/volumes/1", {"encrypted": true})])
		with data.admission.lib.sidecar.secret_volumes as secret
	unencrypted := {{"at": "/volumes/1", "variant": "unencrypted"}}
	rule.findings == unencrypted with input as registered([fact("/volumes/1", {"encrypted": false})])
		with data.admission.lib.sidecar.secret_volumes as secret
}

test_a_fact_about_a_volume_without_secrets_is_none if {
	facts := [fact("/volumes/1", {"encrypted": true}), fact("/volumes/0", {"encrypted": false})]
	rule.findings == set() with input as registered(facts)
		with data.admission.lib.sidecar.secret_volumes as secret
}

test_aws_encrypts_what_it_manages[compatibility] if {
	some compatibility in ["FARGATE", "MANAGED_INSTANCES"]
	managed := object.union(task, {"requiresCompatibilities": ["EC2", compatibility]})
	rule.findings == set() with input as asked("RegisterTaskDefinition", managed, [])
		with data.admission.lib.sidecar.secret_volumes as secret
}

test_daemons_run_on_managed_instances if {
	rule.findings == set() with input as asked("RegisterDaemonTaskDefinition", task, [])
		with data.admission.lib.sidecar.secret_volumes as secret
}

test_what_is_not_on_the_disk_of_the_host_is_none[elsewhere] if {
	some elsewhere in [
		{"efsVolumeConfiguration": {}},
		{"fsxWindowsFileServerVolumeConfiguration": {}},
		{"s3filesVolumeConfiguration": {}},
		{"configuredAtLaunch": true},
	]
	rule.findings == set() with input as asked("RegisterTaskDefinition", with_volume(elsewhere), [])
		with data.admission.lib.sidecar.secret_volumes as secret
}

test_what_is_not_asked_for_at_launch_is_on_the_disk if {
	definition := with_volume({"configuredAtLaunch": false})
	rule.findings == undecided with input as asked("RegisterTaskDefinition", definition, [])
		with data.admission.lib.sidecar.secret_volumes as secret
}
