"""Fn::Join of a list parameter in conditions.

Stock: a condition compares the unevaluated function, so `!Equals [!Join ["", !Ref List], ""]` is false for an empty list. AWS: the
function is evaluated.
"""

import sys


def apply(_options) -> None:
    from ministack.services.cloudformation import engine

    stock = engine._evaluate_conditions

    def joined(found, params: dict):
        if isinstance(found, list):
            return [joined(item, params) for item in found]
        if not isinstance(found, dict):
            return found
        match found.get("Fn::Join"):
            case [separator, {"Ref": name}] if name in params:
                return separator.join(params[name]["Value"].split(","))
        return {name: joined(item, params) for name, item in found.items()}

    def evaluate(template: dict, params: dict) -> dict:
        return stock({**template, "Conditions": joined(template.get("Conditions", {}), params)}, params)

    # The modules import the function by name.
    for name, module in list(sys.modules.items()):
        if name.startswith("ministack.services.cloudformation") and getattr(module, "_evaluate_conditions", None) is stock:
            module._evaluate_conditions = evaluate
