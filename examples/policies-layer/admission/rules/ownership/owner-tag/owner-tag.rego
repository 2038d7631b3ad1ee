# METADATA
# title: Every task definition says who owns it
# description: |
#   A task definition that is registered has a tag with the key owner. What the tag says is not looked at.
# related_resources:
#   - ref: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-using-tags.html
#     description: Tagging Amazon ECS resources
# custom:
#   why: >-
#     Nobody knows whom to call when a secret of the task has to be rotated in a hurry.
#   severity: low
#   action: warn
#   fix: none
#   message: the task definition has no tag owner
#   remediation: Add a tag with the key owner and the name of your team as value.
package admission.rules.ownership["owner-tag"]

# METADATA
# scope: document
# description: The tags, where none of them has the key owner.
findings contains {"at": "/tags"} if {
	input.request.operation == "RegisterTaskDefinition"
	not _is_owned
}

_is_owned if {
	some tag in input.object.tags
	tag.key == "owner"
}
