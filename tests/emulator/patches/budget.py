"""The CloudFormation resource AWS::Budgets::Budget.

Stock: the stack fails because the type is not supported. AWS: the budget can be read through the API. A change of BudgetLimit updates
it, and a change of its notifications replaces it.
"""

import json
import uuid


def apply(_options) -> None:
    from ministack.services import budgets
    from ministack.services.cloudformation import provisioners

    def call(operation, request: dict) -> None:
        status, _headers, body = operation(request)
        if status >= 400:
            raise ValueError(f"AWS::Budgets::Budget: {json.loads(body)}")

    def typed(properties: dict, name: str) -> dict:
        budget = {**(properties.get("Budget") or {}), "BudgetName": name}
        if "BudgetLimit" in budget:
            budget["BudgetLimit"] = {**budget["BudgetLimit"], "Amount": str(budget["BudgetLimit"]["Amount"])}
        return budget

    def create(logical_id: str, properties: dict, stack: str) -> tuple[str, dict]:
        name = (properties.get("Budget") or {}).get("BudgetName") or f"{stack}-{logical_id}-{uuid.uuid4().hex[:12]}"
        notifications = [
            {**entry, "Notification": {**entry["Notification"], "Threshold": float(entry["Notification"]["Threshold"])}}
            for entry in properties.get("NotificationsWithSubscribers") or []
        ]
        call(budgets._create_budget, {"Budget": typed(properties, name), "NotificationsWithSubscribers": notifications})
        return name, {}

    def delete(name: str, _properties: dict) -> None:
        budgets._delete_budget({"BudgetName": name})

    def update(name: str, old: dict, new: dict, stack: str, logical_id: str | None = None) -> tuple[str, dict]:
        if old.get("NotificationsWithSubscribers") != new.get("NotificationsWithSubscribers"):
            made = create(logical_id or name, new, stack)
            provisioners._delete_predecessor(delete, name, old)
            return made
        call(budgets._update_budget, {"NewBudget": typed(new, name)})
        return name, {}

    provisioners._RESOURCE_HANDLERS["AWS::Budgets::Budget"] = {
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": delete,
    }
