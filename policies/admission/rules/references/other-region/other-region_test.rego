package admission.rules.references["other-region_test"]

import data.admission.rules.references["other-region"] as rule

request(own, field, partition, region) := {
	"request": {"context": {"account": null, "region": own}},
	"object": {"executionRoleArn": "arn:aws:iam::111122223333:role/web"},
	"references": [{"pointer": "/p", "field": field, "partition": partition, "region": region}],
}

test_another_region_is_a_finding[field] if {
	some field in ["secrets", "secretOptions", "repositoryCredentials"]
	rule.findings == {{"at": "/p"}} with input as request("eu-central-1", field, "aws", "eu-west-1")
}

test_what_an_application_reads_has_words_of_its_own if {
	expected := {{"at": "/p", "variant": "application"}}
	rule.findings == expected with input as request("eu-central-1", "application", "aws", "eu-west-1")
}

test_the_same_region_is_none if {
	rule.findings == set() with input as request("eu-central-1", "secrets", "aws", "eu-central-1")
}

test_a_reference_without_a_region_is_none if {
	rule.findings == set() with input as request("eu-central-1", "environmentFiles", "aws", null)
}

test_a_task_without_a_region_is_none if {
	rule.findings == set() with input as request(null, "secrets", "aws", "eu-west-1")
}

test_another_partition_is_for_another_rule if {
	rule.findings == set() with input as request("eu-central-1", "secrets", "aws-cn", "cn-north-1")
}
