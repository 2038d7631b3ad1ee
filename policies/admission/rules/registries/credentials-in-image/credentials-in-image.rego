# METADATA
# title: No credentials inside the name of an image
# description: |
#   An image is a registry, a repository and a tag or digest. A user with a password before the registry, or a token
#   anywhere in it, is stored in the task definition in clear, and ECS does not log in with it.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html
#     description: Using non-AWS container images in Amazon ECS
# custom:
#   why: >-
#     The name of an image is shown wherever a task is, in consoles, events and build logs, and who reads the
#     credentials pulls, and often pushes, images of the registry.
#   severity: critical
#   action: deny
#   fix: none
#   controls:
#     - PCI-DSS-4.0.1:8.6.2
#     - NIST-800-53:IA-5(7)
#   message: the image of container {container} holds a plaintext secret
#   remediation: >-
#     Give the image of container {container} as REGISTRY/REPOSITORY:TAG and nothing else. Store user and password as JSON
#     with the keys username and password in an AWS Secrets Manager secret, and give its ARN as credentialsParameter of
#     the container's repositoryCredentials. Rotate the value, since it has been in a pipeline in clear.
package admission.rules.registries["credentials-in-image"]

import data.admission.lib.literals

# METADATA
# scope: document
# description: The images whose literal is a secret or holds one.
findings contains {"at": literal.pointer} if {
	some literal in input.literals
	literal.field == "image"
	literals.leaks(literal)
}
