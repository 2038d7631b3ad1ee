# METADATA
# title: Where the task runs
# description: |
#   The account, the Region and the partition of a request: as the pipeline names them, or else as the roles of the task
#   tell. Each is undefined where nothing tells it.
package admission.lib.context

# METADATA
# description: The account of the task. All of its roles are of that account.
account := input.request.context.account if is_string(input.request.context.account)

else := _role[4]

# METADATA
# description: The Region of the task, which only the pipeline can name.
region := input.request.context.region if is_string(input.request.context.region)

# METADATA
# description: The partition of the task.
partition := partition_of(region) if is_string(region)

else := _role[1]

# METADATA
# description: The partition that a Region belongs to.
partition_of(name) := data.config.partitions.prefixes[beginning] if beginning := max(_beginnings(name))

else := data.config.partitions.default

_beginnings(name) := {prefix | some prefix, _ in data.config.partitions.prefixes; startswith(name, prefix)}

# The parts of the first role that is named by an ARN: arn, partition, iam, no Region, account, role.
_role := [parts |
	some place in [input.object, object.get(input.object, "overrides", {})]
	some member in ["executionRoleArn", "taskRoleArn"]
	parts := split(place[member], ":")
	count(parts[4]) == 12
][0]
