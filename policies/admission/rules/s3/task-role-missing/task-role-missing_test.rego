package admission.rules.s3["task-role-missing_test"]

import data.admission.rules.s3["task-role-missing"] as rule

request(operation, definition, references) := {
	"request": {"operation": operation},
	"object": definition,
	"references": references,
}

reference(field, service) := {"pointer": "/p", "field": field, "service": service}

found(variant) := {{"at": "/taskRoleArn", "variant": variant}}

injecting := {"containerDefinitions": [{"name": "a", "image": "amazon/aws-secrets-manager-secret-sidecar:v0.1.1"}]}

test_an_object_of_s3_needs_a_role if {
	rule.findings == found("object") with input as request("RegisterTaskDefinition", {}, [reference("application", "s3")])
}

test_a_secret_that_the_application_reads_needs_a_role[service] if {
	some service in ["secretsmanager", "ssm"]
	references := [reference("application", service)]
	rule.findings == found("secret") with input as request("RegisterTaskDefinition", {}, references)
}

test_the_injector_needs_one_whatever_it_reads if {
	rule.findings == found("sidecar") with input as request("RegisterTaskDefinition", injecting, [])
}

test_one_role_is_missing_once if {
	both := [reference("application", "ssm"), reference("application", "s3")]
	rule.findings == found("object") with input as request("RegisterTaskDefinition", {}, both)
	rule.findings == found("sidecar") with input as request("RegisterTaskDefinition", injecting, both)
}

test_every_operation_that_defines_a_task_needs_one[operation] if {
	some operation in ["RegisterDaemonTaskDefinition", "CreateExpressGatewayService"]
	rule.findings == found("object") with input as request(operation, {}, [reference("application", "s3")])
}

test_other_operations_are_none[operation] if {
	some operation in ["RunTask", "UpdateExpressGatewayService", "CreateService"]
	rule.findings == set() with input as request(operation, {}, [reference("application", "s3")])
}

test_a_role_is_enough if {
	task := object.union(injecting, {"taskRoleArn": "web"})
	references := [reference("application", "s3")]
	rule.findings == set() with input as request("RegisterTaskDefinition", task, references)
}

test_an_empty_one_is_not if {
	references := [reference("application", "s3")]
	rule.findings == found("object") with input as request("RegisterTaskDefinition", {"taskRoleArn": ""}, references)
}

test_an_execution_role_is_no_task_role if {
	task := {"executionRoleArn": "web"}
	references := [reference("application", "s3")]
	rule.findings == found("object") with input as request("RegisterTaskDefinition", task, references)
}

test_what_ecs_resolves_needs_none[field] if {
	some field in ["secrets", "environmentFiles"]
	rule.findings == set() with input as request("RegisterTaskDefinition", {}, [reference(field, "s3")])
}

test_another_service_needs_none if {
	rule.findings == set() with input as request("RegisterTaskDefinition", {}, [reference("application", "sqs")])
}

test_a_misplaced_reference_is_none_for_the_application if {
	literal := {
		"pointer": "/p",
		"kind": "arn",
		"service": "ssm",
		"signals": [{"detector": "name", "rule": "password", "confidence": "high"}],
	}
	references := [reference("application", "ssm")]
	asked := request("RegisterTaskDefinition", {}, references)
	rule.findings == set() with input as object.union(asked, {"literals": [literal]})
	elsewhere := object.union(literal, {"pointer": "/q"})
	rule.findings == found("secret") with input as object.union(asked, {"literals": [elsewhere]})
	named := object.union(literal, {"signals": []})
	rule.findings == found("secret") with input as object.union(asked, {"literals": [named]})
}
