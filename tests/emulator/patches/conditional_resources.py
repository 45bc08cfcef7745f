"""Resources with a condition in change sets.

Stock: a change set ignores conditions, so it has no changes if a parameter only adds or removes a resource. AWS: such a change set adds
or removes the resource.
"""


def apply(_options) -> None:
    from ministack.services.cloudformation import changesets

    stock = changesets._resolve_props_for_diff

    def resolve(template, params, *stack):
        resolved = stock(template, params, *stack)
        conditions = changesets._evaluate_conditions(template, params) if template else {}
        existing = {name: found for name, found in resolved.get("Resources", {}).items() if conditions.get(found.get("Condition"), True)}
        return {**resolved, "Resources": existing} if resolved else resolved

    changesets._resolve_props_for_diff = resolve
