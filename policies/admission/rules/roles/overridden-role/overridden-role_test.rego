package admission.rules.roles["overridden-role_test"]

import data.admission.rules.roles["overridden-role"] as rule

test_a_role_among_the_overrides_is_a_finding[member] if {
	some member, variant in {"taskRoleArn": "task", "executionRoleArn": "execution"}
	expected := {{"at": concat("/", ["/overrides", member]), "variant": variant}}
	rule.findings == expected with input.object as {"overrides": {member: "web"}}
}

test_the_roles_of_a_definition_are_none if {
	rule.findings == set() with input.object as {"taskRoleArn": "web", "executionRoleArn": "web-execution"}
}

test_other_overrides_are_none if {
	rule.findings == set() with input.object as {"overrides": {"cpu": "256", "containerOverrides": [{"name": "app"}]}}
}
