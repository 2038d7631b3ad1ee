package admission.lib.context_test

import data.admission.lib.context

request(account, region, shown) := {
	"request": {"context": {"account": account, "region": region}},
	"object": shown,
}

role(partition, account) := concat(":", ["arn", partition, "iam:", account, "role/web"])

roles := {"executionRoleArn": role("aws-cn", "111122223333"), "taskRoleArn": role("aws", "222233334444")}

overrides := {"taskRoleArn": "web", "overrides": {"taskRoleArn": role("aws-cn", "333344445555")}}

test_the_pipeline_names_the_account if {
	context.account == "4" with input as request("4", null, roles)
}

test_a_role_tells_the_account if {
	context.account == "111122223333" with input as request(null, null, roles)
	context.account == "222233334444" with input as request(null, null, {"taskRoleArn": roles.taskRoleArn})
	context.account == "333344445555" with input as request(null, null, overrides)
}

test_only_a_role_tells_it if {
	shown := {"cluster": "arn:aws:ecs:eu-central-1:444455556666:cluster/main", "taskRoleArn": roles.taskRoleArn}
	context.account == "222233334444" with input as request(null, null, shown)
}

test_nothing_tells_the_account if {
	not context.account with input as request(null, null, {})
	not context.account with input as request(null, null, {"executionRoleArn": "web"})
	not context.account with input as request(null, null, {"executionRoleArn": role("aws", "")})
}

test_the_pipeline_names_the_region if {
	context.region == "eu-central-1" with input as request(null, "eu-central-1", {})
	not context.region with input as request(null, null, roles)
}

test_the_region_tells_the_partition if {
	context.partition == "aws" with input as request(null, "eu-central-1", roles)
}

test_a_role_tells_the_partition if {
	context.partition == "aws-cn" with input as request(null, null, roles)
	context.partition == "aws-cn" with input as request(null, null, overrides)
}

test_nothing_tells_the_partition if {
	not context.partition with input as request("1", null, {"executionRoleArn": "web"})
}

test_the_regions_of_each_partition_are_known[region] if {
	some region, partition in {
		"eu-central-1": "aws",
		"us-east-1": "aws",
		"us-gov-west-1": "aws-us-gov",
		"cn-north-1": "aws-cn",
		"us-iso-east-1": "aws-iso",
		"us-isob-east-1": "aws-iso-b",
		"eu-isoe-west-1": "aws-iso-e",
		"us-isof-south-1": "aws-iso-f",
		"eusc-de-east-1": "aws-eusc",
	}
	context.partition_of(region) == partition
}

test_the_longest_beginning_counts if {
	partitions := {"prefixes": {"us-": "short", "us-gov-": "long", "us-g": "middle"}, "default": "other"}
	context.partition_of("us-gov-west-1") == "long" with data.config.partitions as partitions
	context.partition_of("us-east-1") == "short" with data.config.partitions as partitions
	context.partition_of("eu-west-1") == "other" with data.config.partitions as partitions
}
