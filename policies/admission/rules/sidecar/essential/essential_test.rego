package admission.rules.sidecar.essential_test

import data.admission.rules.sidecar.essential

injector := "amazon/aws-secrets-manager-secret-sidecar:v0.1.1"

pairs := {{"reader": "/containerDefinitions/0", "writer": "/containerDefinitions/1", "volume": "v"}}

waiting(condition) := {"name": "app", "dependsOn": [{"containerName": "a", "condition": condition}]}

expected := {{"at": "/containerDefinitions/1/essential"}}

test_an_essential_writer_that_a_reader_waits_to_finish_is_a_finding[condition][writer] if {
	some condition in ["COMPLETE", "SUCCESS"]
	some writer in [{"name": "a"}, {"name": "a", "essential": true}]
	essential.findings == expected with input.object.containerDefinitions as [waiting(condition), writer]
		with data.admission.lib.sidecar.pairs as pairs
	essential.findings == expected with input.object.containerDefinitions as [waiting(condition), writer]
		with data.admission.lib.sidecar.likely_pairs as pairs
}

test_one_that_is_not_essential_is_none[writer] if {
	some writer in [{"name": "a", "essential": false}, {"name": "a", "image": injector, "essential": false}]
	essential.findings == set() with input.object.containerDefinitions as [waiting("SUCCESS"), writer]
		with data.admission.lib.sidecar.pairs as pairs
}

test_one_that_stays_is_none[condition] if {
	some condition in ["START", "HEALTHY"]
	essential.findings == set() with input.object.containerDefinitions as [waiting(condition), {"name": "a"}]
		with data.admission.lib.sidecar.pairs as pairs
}

test_one_with_a_health_check_is_left_to_another_rule if {
	writer := {"name": "a", "healthCheck": {"command": ["CMD"]}}
	essential.findings == set() with input.object.containerDefinitions as [waiting("SUCCESS"), writer]
		with data.admission.lib.sidecar.pairs as pairs
}

test_an_essential_injector_is_one_whoever_waits if {
	alone := [{"name": "app"}, {"name": "a", "image": injector}]
	essential.findings == expected with input.object.containerDefinitions as alone
	checked := [waiting("HEALTHY"), {"name": "a", "image": injector, "healthCheck": {}}]
	essential.findings == expected with input.object.containerDefinitions as checked
}

test_a_container_that_is_no_sidecar_is_none if {
	essential.findings == set() with input.object.containerDefinitions as [waiting("SUCCESS"), {"name": "a"}]
}
