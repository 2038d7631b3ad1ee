package admission.rules.references["other-partition_test"]

import data.admission.rules.references["other-partition"] as rule

request(region, partition, regions) := {
	"request": {"context": {"account": null, "region": region}},
	"object": {},
	"references": [{"pointer": "/p", "field": "secrets", "partition": partition, "region": regions}],
}

test_a_partition_that_its_own_region_is_not_in_is_a_finding[region] if {
	some region in [null, "eu-central-1", "cn-north-1"]
	expected := {{"at": "/p", "variant": "region"}}
	rule.findings == expected with input as request(region, "aws", "cn-north-1")
	rule.findings == expected with input as request(region, "aws-cn", "eu-central-1")
}

test_a_partition_that_the_task_is_not_in_is_a_finding if {
	rule.findings == {{"at": "/p"}} with input as request("eu-central-1", "aws-cn", "cn-north-1")
	rule.findings == {{"at": "/p"}} with input as request("us-gov-west-1", "aws", null)
}

test_the_partition_of_a_role_counts_where_no_region_is_named if {
	role := {"executionRoleArn": "arn:aws-us-gov:iam::111122223333:role/web"}
	found := object.union(request(null, "aws", null), {"object": role})
	rule.findings == {{"at": "/p"}} with input as found
}

test_the_same_partition_is_none[region] if {
	some region in [null, "eu-central-1", "us-east-1"]
	rule.findings == set() with input as request(region, "aws", "us-east-1")
}

test_a_reference_without_a_partition_is_none if {
	rule.findings == set() with input as request("eu-central-1", null, null)
}

test_what_is_not_known_is_none if {
	rule.findings == set() with input as request(null, "aws-cn", null)
}

test_an_application_may_read_another_partition if {
	reference := {"pointer": "/p", "field": "application", "partition": "aws-cn", "region": "cn-north-1"}
	asked := object.union(request("eu-central-1", "aws", "eu-central-1"), {"references": [reference]})
	rule.findings == set() with input as asked
}
