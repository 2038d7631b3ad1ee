# METADATA
# title: What AWS knows of a request's references, roles and volumes
# description: |
#   Facts are three-valued: true, false, or absent where nobody looked or the look-up failed. A rule judges what is false
#   and says of what is not known that it is not known; not known is never yes.
package admission.lib.facts

# METADATA
# description: The pointers of the subjects of a kind for which an attribute is known to be true or false.
known(kind, attribute, value) := {fact.pointer |
	some fact in input.facts
	fact.kind == kind
	fact[attribute] == value
}

# METADATA
# description: The pointers of the subjects of a kind for which an attribute is not known.
unknown(kind, attribute) := {fact.pointer |
	some fact in input.facts
	fact.kind == kind
	not _is_known(fact, attribute)
}

_is_known(fact, attribute) if is_boolean(fact[attribute])
