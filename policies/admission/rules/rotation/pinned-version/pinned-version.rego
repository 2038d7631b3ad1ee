# METADATA
# title: References follow the rotation
# description: |
#   A reference with a version id, or with a staging label other than AWSCURRENT, gets the same version of the secret however
#   often it is rotated.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
#     description: Pass Secrets Manager secrets through Amazon ECS environment variables
#   - ref: https://docs.aws.amazon.com/secretsmanager/latest/userguide/whats-in-a-secret.html
#     description: What's in a Secrets Manager secret
# custom:
#   why: >-
#     After a rotation the pinned version is no longer valid at the database or service it is for, and a version without a
#     staging label may be deleted by Secrets Manager: the next task that starts fails.
#   severity: medium
#   action: warn
#   fix: none
#   controls:
#     - PCI-DSS-4.0.1:8.6.3
#   message: "{place} is pinned to a version of its secret"
#   remediation: >-
#     Leave the version out: end the reference with the name of the secret, or with :JSON-KEY:: for one key of it. Each new
#     task then gets the current version; after a rotation start a new deployment of the service.
#   variants:
#     version:
#       message: "{place} is pinned to a version id of its secret"
#     stage:
#       message: "{place} is pinned to a staging label of its secret other than AWSCURRENT"
package admission.rules.rotation["pinned-version"]

# METADATA
# scope: document
# description: The references to one version of a secret.
findings contains {"at": reference.pointer, "variant": "version"} if {
	some reference in input.references
	is_string(reference.versionId)
}

findings contains {"at": reference.pointer, "variant": "stage"} if {
	some reference in input.references
	is_string(reference.versionStage)
	reference.versionStage != "AWSCURRENT"
	reference.versionId == null
}
