package admission.rules.references["value-from-in-environment_test"]

import data.admission.rules.references["value-from-in-environment"] as rule

test_a_reference_in_environment_is_a_finding_whether_it_parses_or_not[problem] if {
	some problem in [null, "malformed-arn"]
	found := {"pointer": "/p", "field": "environment", "problem": problem}
	rule.findings == {{"at": "/p"}} with input.references as [found]
}

test_a_reference_under_secrets_is_none if {
	rule.findings == set() with input.references as [{"pointer": "/p", "field": "secrets", "problem": null}]
}

test_an_override_is_told_from_a_definition if {
	found := {"pointer": "/p", "field": "environment", "problem": null}
	expected := {{"at": "/p", "variant": "override"}}
	rule.findings == expected with input as {"request": {"operation": "StartTask"}, "references": [found]}
}
