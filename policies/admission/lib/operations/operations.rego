# METADATA
# title: What an operation can and cannot do
# description: Facts about the operations of the ECS API that the words of a finding depend on.
package admission.lib.operations

# METADATA
# description: |
#   True where the request overrides a task definition. An override of a container takes environment and command, but no
#   secrets (https://github.com/aws/containers-roadmap/issues/1269).
overrides if input.request.operation in {"RunTask", "StartTask"}

# METADATA
# description: |
#   True where ECS makes a task definition of the request, so that everything that a task needs has to be in it. An
#   update keeps what it does not name.
defines if input.request.operation in {
	"RegisterTaskDefinition",
	"RegisterDaemonTaskDefinition",
	"CreateExpressGatewayService",
}
