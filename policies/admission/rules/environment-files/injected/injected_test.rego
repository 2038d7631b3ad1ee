package admission.rules["environment-files"].injected_test

import data.admission.rules["environment-files"].injected as rule

file := {"type": "s3", "value": "<redacted>"}

test_a_container_with_files_is_one_finding if {
	containers := [{"name": "app"}, {"name": "api", "environmentFiles": [file, file]}]
	expected := {{"at": "/containerDefinitions/1/environmentFiles"}}
	rule.findings == expected with input.object as {"containerDefinitions": containers}
}

test_an_empty_list_is_none if {
	rule.findings == set() with input.object as {"containerDefinitions": [{"environmentFiles": []}]}
}

test_an_override_is_told_from_a_definition if {
	body := {"overrides": {"containerOverrides": [{"environmentFiles": [file]}]}}
	expected := {{"at": "/overrides/containerOverrides/0/environmentFiles", "variant": "override"}}
	rule.findings == expected with input as {"request": {"operation": "RunTask"}, "object": body}
}
