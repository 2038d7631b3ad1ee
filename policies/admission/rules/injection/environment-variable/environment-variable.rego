# METADATA
# title: Secrets that do not arrive as environment variables
# description: |
#   What secrets injects is an environment variable of the container. AWS's page names the ways that keep a secret out of the
#   environment: read it at run time with the task role, let a sidecar write it to a volume that both containers mount, or
#   read it from an encrypted S3 bucket. Recorded in baseline, a warning in restricted.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/specifying-sensitive-data.html
#     description: Pass sensitive data to an Amazon ECS container
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
#     description: Pass Secrets Manager secrets through Amazon ECS environment variables
# custom:
#   why: >-
#     Every process of the container sees its environment variables and so do its child processes, and logs, debugging
#     tools and crash dumps tend to write them out. They keep the value that the task started with.
#   severity: low
#   action: dryrun
#   fix: none
#   message: secrets of a container arrive as environment variables
#   remediation: >-
#     Let the application read its secrets at run time from Secrets Manager or Parameter Store with the task role, or let a
#     sidecar container write them to a volume that the application mounts read-only, or let the application read them from
#     an encrypted S3 bucket. Pass the ARN in environment, under a name that says so, and delete the entry from secrets.
package admission.rules.injection["environment-variable"]

import data.admission.lib.containers

# METADATA
# scope: document
# description: The secrets of each container that has some.
findings contains {"at": concat("/", [place, "secrets"])} if {
	some place, container in containers.at
	count(container.secrets) > 0
}
