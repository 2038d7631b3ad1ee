# METADATA
# title: Every other reference has its own grammar
# description: |
#   Credential specs, the configuration file of FireLens and the credentials of an FSx volume are references that ECS
#   resolves when the task starts, each with a form of its own. A text that does not have it is registered all the same.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
#     description: ContainerDefinition
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_FSxWindowsFileServerAuthorizationConfig.html
#     description: FSxWindowsFileServerAuthorizationConfig
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_FirelensConfiguration.html
#     description: FirelensConfiguration
# custom:
#   why: >-
#     The registration succeeds, and each task stops while it starts, because ECS cannot read what is referenced.
#   severity: high
#   action: deny
#   fix: none
#   message: "{place} is not a reference that ECS can resolve"
#   remediation: Write the reference in the form that this field takes.
#   variants:
#     credentialSpecs:
#       message: a credential spec of container {container} is not one that ECS can resolve
#       remediation: >-
#         Write credentialspec: or credentialspecdomainless: and behind it the ARN of an object in S3
#         (arn:PARTITION:s3:::BUCKET/KEY) or of an SSM parameter (arn:PARTITION:ssm:REGION:ACCOUNT:parameter/NAME).
#     dockerSecurityOptions:
#       message: a credential spec among the dockerSecurityOptions of container {container} is not one that ECS can resolve
#       remediation: >-
#         Write credentialspec: and behind it the ARN of an object in S3 (arn:PARTITION:s3:::BUCKET/KEY), of an SSM parameter
#         (arn:PARTITION:ssm:REGION:ACCOUNT:parameter/NAME), or file:// and a file on the container instance.
#     firelensOption:
#       message: config-file-value of container {container} starts like an ARN but is not that of an object in S3
#       remediation: >-
#         Write the ARN as arn:PARTITION:s3:::BUCKET/KEY, without Region and account, or set config-file-type to file and give
#         the path of a file in the image.
#     fsxCredentials:
#       message: credentialsParameter of an FSx volume is not the full ARN of a secret or a parameter
#       remediation: >-
#         Write the full ARN of a Secrets Manager secret, without a JSON key behind it, or of an SSM parameter as
#         credentialsParameter of the volume. The secret holds username and password as JSON.
package admission.rules.references["invalid-reference"]

# METADATA
# scope: document
# description: The references that do not parse, in the fields that no other rule is about.
findings contains {"at": reference.pointer, "variant": reference.field} if {
	some reference in input.references
	reference.field in {"credentialSpecs", "dockerSecurityOptions", "firelensOption", "fsxCredentials"}
	reference.problem != null
}
