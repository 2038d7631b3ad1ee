package admission.rules.references["whole-secret_test"]

import data.admission.rules.references["whole-secret"] as rule

whole(name) := {
	"pointer": concat("", ["/", name]),
	"container": "app",
	"field": "secrets",
	"name": name,
	"service": "secretsmanager",
	"partition": "aws",
	"region": "eu-central-1",
	"account": "111122223333",
	"resource": "db",
	"jsonKey": null,
}

with_change(name, change) := object.union(whole(name), change)

test_a_secret_of_which_a_key_is_taken_is_a_finding[field] if {
	some field in ["secrets", "secretOptions"]
	found := [with_change("a", {"field": field}), with_change("b", {"jsonKey": "password"})]
	rule.findings == {{"at": "/a", "variant": "key"}} with input.references as found
}

test_it_is_wherever_the_key_is_taken if {
	keyed := with_change("b", {"jsonKey": "password", "container": "other", "field": "application"})
	expected := {{"at": "/a", "variant": "key"}}
	rule.findings == expected with input.references as [whole("a"), keyed]
}

test_one_finding_is_enough if {
	keyed := with_change("c", {"jsonKey": "password"})
	expected := {{"at": "/a", "variant": "key"}, {"at": "/b", "variant": "key"}}
	rule.findings == expected with input.references as [whole("a"), whole("b"), keyed]
}

test_two_variables_of_one_secret_are_findings if {
	expected := {{"at": "/a", "variant": "names"}, {"at": "/b", "variant": "names"}}
	rule.findings == expected with input.references as [whole("a"), whole("b")]
}

test_a_secret_beside_them_is_none if {
	expected := {{"at": "/a", "variant": "names"}, {"at": "/b", "variant": "names"}}
	rule.findings == expected with input.references as [whole("a"), whole("b"), with_change("c", {"resource": "other"})]
}

test_another_secret_is_none[part] if {
	some part in ["partition", "region", "account", "resource"]
	rule.findings == set() with input.references as [whole("a"), with_change("b", {part: "other"})]
	keyed := with_change("b", {part: "other", "jsonKey": "password"})
	rule.findings == set() with input.references as [whole("a"), keyed]
}

test_one_name_in_two_containers_is_none if {
	found := [whole("a"), with_change("a", {"container": "other"}), with_change("b", {"container": "third"})]
	rule.findings == set() with input.references as found
}

test_a_variable_and_a_log_option_are_none if {
	rule.findings == set() with input.references as [whole("a"), with_change("b", {"field": "secretOptions"})]
}

test_registry_credentials_are_whole if {
	found := [with_change("a", {"field": "repositoryCredentials"}), with_change("b", {"jsonKey": "password"})]
	rule.findings == set() with input.references as found
}

test_a_parameter_has_no_keys if {
	found := [with_change("a", {"service": "ssm"}), with_change("b", {"service": "ssm"})]
	rule.findings == set() with input.references as found
}
