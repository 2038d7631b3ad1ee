package admission.lib.operations_test

import data.admission.lib.operations

test_tasks_are_started_with_overrides[name] if {
	some name in ["RunTask", "StartTask"]
	operations.overrides with input.request.operation as name
}

test_other_operations_override_nothing[name] if {
	some name in ["RegisterTaskDefinition", "CreateExpressGatewayService", "CreateService", "ExecuteCommand"]
	not operations.overrides with input.request.operation as name
}

test_what_is_registered_is_defined[name] if {
	some name in ["RegisterTaskDefinition", "RegisterDaemonTaskDefinition", "CreateExpressGatewayService"]
	operations.defines with input.request.operation as name
}

test_what_exists_already_is_not[name] if {
	some name in ["RunTask", "UpdateExpressGatewayService", "UpdateService", "TagResource"]
	not operations.defines with input.request.operation as name
}
