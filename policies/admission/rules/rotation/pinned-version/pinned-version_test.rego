package admission.rules.rotation["pinned-version_test"]

import data.admission.rules.rotation["pinned-version"] as rule

reference(stage, id) := {"pointer": "/p", "versionStage": stage, "versionId": id}

test_a_version_id_is_a_finding[stage] if {
	some stage in [null, "AWSCURRENT", "AWSPREVIOUS"]
	rule.findings == {{"at": "/p", "variant": "version"}} with input.references as [reference(stage, "1")]
}

test_another_stage_is_a_finding[stage] if {
	some stage in ["AWSPREVIOUS", "AWSPENDING", "<redacted-1>"]
	rule.findings == {{"at": "/p", "variant": "stage"}} with input.references as [reference(stage, null)]
}

test_the_current_version_is_none[stage] if {
	some stage in [null, "AWSCURRENT"]
	rule.findings == set() with input.references as [reference(stage, null)]
}
