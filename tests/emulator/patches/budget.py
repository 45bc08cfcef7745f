"""The CloudFormation resource AWS::Budgets::Budget.

Stock: an unsupported type fails the stack. Here: the budget is accepted and nothing more.
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
