"""A fictional service with believable households, dated back from today: the same every time for the same day.

Everything is made by the product's own operations, each on its day, so what the demo shows is what the product does.
Letters of the past are stored as sent: nothing goes out when the demo starts.
"""

from crm.demo.filling import fill, is_empty, sign_ins

__all__ = ["fill", "is_empty", "sign_ins"]
