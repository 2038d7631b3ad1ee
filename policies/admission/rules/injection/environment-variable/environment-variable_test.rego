package admission.rules.injection["environment-variable_test"]

import data.admission.rules.injection["environment-variable"] as rule

secrets := [{"name": "A"}, {"name": "B"}]

test_each_container_with_secrets_is_one_finding if {
	expected := {{"at": "/containerDefinitions/0/secrets"}, {"at": "/containerDefinitions/2/secrets"}}
	containers := [{"secrets": secrets}, {"name": "log"}, {"secrets": secrets}]
	rule.findings == expected with input.object as {"containerDefinitions": containers}
}

test_the_container_of_express_mode_is_looked_at if {
	expected := {{"at": "/primaryContainer/secrets"}}
	rule.findings == expected with input.object as {"primaryContainer": {"secrets": secrets}}
}

test_no_secrets_are_none if {
	rule.findings == set() with input.object as {"containerDefinitions": [{"secrets": []}]}
}
