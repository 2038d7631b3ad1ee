package custom.regal.rules.admission["finding-members_test"]

import data.custom.regal.rules.admission["finding-members"] as rule

module(body) := regal.parse_module("rule.rego", concat("\n", ["package admission.rules.some.rule", body]))

rows(body) := {violation.location.row | some violation in rule.report with input as module(body)}

test_at_and_variant_are_all if {
	rows(`findings contains {"at": "/x"} if input.object.x`) == set()
	rows(`findings contains {"at": "/x", "variant": "v"} if input.object.x`) == set()
}

test_a_helper_may_give_the_variant if {
	rows(`findings contains object.union({"at": "/x"}, _variant)

	default _variant := {}

	_variant := {"variant": "v"} if input.object.y`) == set()
}

test_another_member_is_reported if {
	rows(`findings contains {"at": "/x", "value": input.object.x}`) == {2}
}

test_another_member_of_a_helper_is_reported if {
	rows(`findings contains object.union({"at": "/x"}, _variant(1))

	_variant(_) := {"text": "v"}`) == {4}
}

test_other_objects_are_none_of_ours if {
	rows(`findings contains {"at": "/x"} if _helper.y == {"z": 1}

	_helper := {"y": {"z": 1}}`) == set()
}

test_a_finding_made_elsewhere_is_reported if {
	rows(`findings contains finding if finding := {"at": "/x"}`) == {2}
	rows(`findings contains {"variant": "v"}`) == {2}
}

test_findings_are_a_set if {
	rows(`findings := [{"at": "/x"}]`) == {2}
}

test_other_packages_are_none_of_ours if {
	main := regal.parse_module("main.rego", `package admission.main
	findings contains finding if some finding in data.admission.rules`)
	rule.report == set() with input as main
}
