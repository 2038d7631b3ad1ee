# METADATA
# title: Registry credentials are a Secrets Manager reference
# description: |
#   credentialsParameter takes the ARN of a Secrets Manager secret, or its bare name in the same Region. ECS knows no other
#   store for registry credentials and no JSON key.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/private-auth.html
#     description: Using non-AWS container images in Amazon ECS
# custom:
#   why: >-
#     ECS takes the credentials from nowhere else, so the image is never pulled and no task starts.
#   severity: high
#   action: deny
#   fix: none
#   message: credentialsParameter of container {container} is not a reference to a Secrets Manager secret
#   remediation: >-
#     Store username and password as JSON in a Secrets Manager secret and give its full ARN as credentialsParameter of
#     container {container}, without a JSON key behind it.
package admission.rules.registries["repository-credentials"]

# METADATA
# scope: document
# description: The registry credentials that do not parse.
findings contains {"at": reference.pointer} if {
	some reference in input.references
	reference.field == "repositoryCredentials"
	reference.problem != null
}
