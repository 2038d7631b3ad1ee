# METADATA
# title: A valueFrom that ECS can resolve
# description: |
#   ECS accepts most texts at registration and fails when the task starts. The grammar is that of the ECS agent: a Secrets
#   Manager ARN with two or five parts after the account, an SSM parameter ARN, or a bare SSM parameter name.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Secret.html
#     description: Secret
# custom:
#   why: >-
#     The deployment is registered without complaint and its tasks stop with ResourceInitializationError, at the worst
#     time and again and again.
#   severity: high
#   action: deny
#   fix: none
#   message: valueFrom of {name} in container {container} is not a reference that ECS can resolve
#   remediation: >-
#     Give {name} the full ARN of a Secrets Manager secret or of an SSM parameter, or the bare name of an SSM parameter in
#     the same Region.
#   variants:
#     empty:
#       message: valueFrom of {name} in container {container} is empty
#     malformed-arn:
#       message: valueFrom of {name} in container {container} starts like an ARN but is not one
#       remediation: >-
#         Write it as arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX or
#         arn:PARTITION:ssm:REGION:ACCOUNT:parameter/NAME, with a Region and a 12-digit account.
#     wrong-service:
#       message: valueFrom of {name} in container {container} is the ARN of neither Secrets Manager nor SSM
#     not-a-secret:
#       message: valueFrom of {name} in container {container} is a Secrets Manager ARN without secret:NAME
#     json-key-parts:
#       message: valueFrom of {name} in container {container} has a number of colons that the ECS agent refuses
#       remediation: >-
#         After secret:NAME-SUFFIX the ECS agent takes either nothing or exactly :JSON-KEY:VERSION-STAGE:VERSION-ID. For one
#         key of a JSON secret write secret:NAME-SUFFIX:JSON-KEY:: with both closing colons.
#     parameter-colon:
#       message: valueFrom of {name} in container {container} writes the SSM parameter with a colon
#       remediation: Write arn:PARTITION:ssm:REGION:ACCOUNT:parameter/NAME, with a slash after parameter.
#     not-a-parameter:
#       message: valueFrom of {name} in container {container} is an SSM ARN of something other than a parameter
#     invalid-name:
#       message: valueFrom of {name} in container {container} is neither an ARN nor a valid SSM parameter name
#       remediation: >-
#         A bare valueFrom is an SSM parameter name of letters, digits and . _ - / only. For a Secrets Manager secret give its
#         full ARN; a version or label cannot be selected by name.
package admission.rules.references["invalid-value-from"]

# METADATA
# scope: document
# description: The references under secrets and secretOptions that do not parse.
findings contains {"at": reference.pointer, "variant": reference.problem} if {
	some reference in input.references
	reference.field in {"secrets", "secretOptions"}
	reference.problem != null
}
