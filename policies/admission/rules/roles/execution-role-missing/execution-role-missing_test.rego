package admission.rules.roles["execution-role-missing_test"]

import data.admission.rules.roles["execution-role-missing"] as rule

request(operation, body, field) := {
	"request": {"operation": operation},
	"object": body,
	"references": [{"pointer": "/p", "field": field, "problem": null}],
}

test_a_reference_without_a_role_is_a_finding[field] if {
	some field in ["secrets", "secretOptions", "repositoryCredentials", "environmentFiles", "firelensOption", "fsxCredentials"]
	rule.findings == {{"at": "/executionRoleArn"}} with input as request("RegisterTaskDefinition", {}, field)
}

test_every_operation_that_defines_a_task_needs_one[operation] if {
	some operation in ["RegisterDaemonTaskDefinition", "CreateExpressGatewayService"]
	rule.findings == {{"at": "/executionRoleArn"}} with input as request(operation, {}, "secrets")
}

test_a_task_role_is_no_execution_role if {
	body := {"taskRoleArn": "web"}
	rule.findings == {{"at": "/executionRoleArn"}} with input as request("RegisterTaskDefinition", body, "secrets")
}

test_a_role_is_enough if {
	body := {"executionRoleArn": "web"}
	rule.findings == set() with input as request("RegisterTaskDefinition", body, "secrets")
}

test_a_reference_that_ecs_does_not_resolve_needs_none[field] if {
	some field in ["environment", "application"]
	rule.findings == set() with input as request("RegisterTaskDefinition", {}, field)
}

test_other_operations_are_none[operation] if {
	some operation in ["RunTask", "CreateService", "UpdateExpressGatewayService"]
	rule.findings == set() with input as request(operation, {}, "secrets")
}

test_an_empty_role_is_none if {
	shown := {"executionRoleArn": ""}
	rule.findings == {{"at": "/executionRoleArn"}} with input as request("RegisterTaskDefinition", shown, "secrets")
}
