# METADATA
# title: No registry credentials beside an image of Amazon ECR
# description: |
#   An image of a private repository of Amazon ECR is pulled with the permissions of the task execution role, or of the
#   instance's role on EC2. repositoryCredentials are for registries outside of AWS.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html
#     description: Using non-AWS container images in Amazon ECS
# custom:
#   why: >-
#     What can be stored there for Amazon ECR is a token that is valid for 12 hours: tasks stop starting when it ends, or
#     a secret more has to be kept and refreshed for nothing.
#   severity: low
#   action: warn
#   fix: remove
#   message: an image of Amazon ECR has repositoryCredentials, which it does not need
#   remediation: >-
#     Remove repositoryCredentials from the container. Let the execution role call ecr:GetAuthorizationToken,
#     ecr:BatchCheckLayerAvailability, ecr:GetDownloadUrlForLayer and ecr:BatchGetImage, as the managed policy
#     AmazonECSTaskExecutionRolePolicy does, and delete the secret if nothing else reads it.
package admission.rules.registries["credentials-unneeded"]

import data.admission.lib.images

# METADATA
# scope: document
# description: The credentials of the containers whose image comes from a private repository of Amazon ECR.
findings contains {"at": concat("/", [place, "repositoryCredentials"])} if {
	some place in images.with_credentials
	images.is_ecr(images.registries[place])
}
