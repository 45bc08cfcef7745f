"""The CloudFormation resource AWS::Budgets::Budget.

Stock: the stack fails because the type is not supported. Here: the budget is accepted without any effect.
"""


def apply(_options) -> None:
    from ministack.services.cloudformation import provisioners

    def create(logical_id: str, properties: dict, stack: str) -> tuple[str, dict]:
        budget = properties.get("Budget") or {}
        for wanted in ("BudgetType", "TimeUnit"):
            if not budget.get(wanted):
                raise ValueError(f"AWS::Budgets::Budget requires Budget.{wanted}")
        return budget.get("BudgetName") or f"{stack}-{logical_id}", {}

    provisioners._RESOURCE_HANDLERS["AWS::Budgets::Budget"] = {
        "create": create,
        "delete": lambda physical_id, properties: None,
    }
