"""The Avro schemas of the mock org, in the form that Salesforce uses.

The names and the nesting of the fields are as documented and as seen on live orgs.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

CHANGE_TYPES = (
    "CREATE UPDATE DELETE UNDELETE "
    "GAP_CREATE GAP_UPDATE GAP_DELETE GAP_UNDELETE GAP_OVERFLOW SNAPSHOT"
)
HEADER_FIELDS = (
    "entityName:string recordIds:texts changeType:change changeOrigin:string "
    "transactionKey:string sequenceNumber:int commitTimestamp:long commitNumber:long "
    "commitUser:string nulledFields:texts diffFields:texts changedFields:texts"
)
HEADER_TYPES: dict[str, Any] = {
    "texts": {"type": "array", "items": "string"},
    "change": {"type": "enum", "name": "ChangeType", "symbols": CHANGE_TYPES.split()},
}
HEADER = {
    "type": "record",
    "name": "ChangeEventHeader",
    "fields": [
        {"name": name, "type": HEADER_TYPES.get(kind, kind)}
        for name, _, kind in (field.partition(":") for field in HEADER_FIELDS.split())
    ],
}
ADDRESS_FIELDS = (
    "Street:string City:string State:string PostalCode:string Country:string "
    "Latitude:double Longitude:double Xyz:string GeocodeAccuracy:string"
)
ADDRESS = {
    "type": "record",
    "name": "Address",
    "fields": [
        {"name": name, "type": ["null", kind], "default": None}
        for name, _, kind in (field.partition(":") for field in ADDRESS_FIELDS.split())
    ],
}
PERSON_NAME = {
    "type": "record",
    "name": "Switchable_PersonName",
    "fields": [
        {"name": name, "type": ["null", "string"], "default": None}
        for name in ("Salutation", "FirstName", "LastName", "MiddleName", "InformalName", "Suffix")
    ],
}
# Each item is name:type. "address" and "name" are nested records. All other types are Avro types.
ACCOUNT_FIELDS = """
    Name:name Type:string ParentId:string BillingAddress:address ShippingAddress:address
    Phone:string Fax:string AccountNumber:string Website:string Sic:string Industry:string
    AnnualRevenue:double NumberOfEmployees:int Ownership:string TickerSymbol:string
    Description:string Rating:string Site:string OwnerId:string CreatedDate:long
    CreatedById:string LastModifiedDate:long LastModifiedById:string Jigsaw:string
    JigsawCompanyId:string CleanStatus:string AccountSource:string DunsNumber:string
    Tradestyle:string NaicsCode:string NaicsDesc:string YearStarted:string SicDesc:string
    DandbCompanyId:string OperatingHoursId:string Tier:string Region__c:string Segment__c:string
    Territory__c:string Priority__c:string Credit_Limit__c:double Credit_Rating__c:string
    Contract_Start__c:long Contract_End__c:long Renewal_Date__c:long Support_Level__c:string
    Support_Expires__c:long Primary_Contact__c:string Secondary_Contact__c:string
    Tax_Number__c:string Currency__c:string Language__c:string Time_Zone__c:string
    Invoice_Email__c:string Payment_Terms__c:string Discount__c:double External_Id__c:string
    Legacy_Id__c:string Sync_Status__c:string Last_Synced__c:long Score__c:double
    Grade__c:string Is_Partner__c:boolean Is_Key_Account__c:boolean Upsell__c:string
    Locations__c:double Active__c:string Notes__c:string Source_System__c:string Batch__c:string
    Channel__c:string Campaign__c:string Consent__c:boolean Retention__c:string
"""
CONTACT_FIELDS = """
    AccountId:string Name:name MailingAddress:address Phone:string MobilePhone:string
    Email:string Title:string Department:string LeadSource:string Birthdate:long OwnerId:string
    CreatedDate:long CreatedById:string LastModifiedDate:long LastModifiedById:string
    EmailBouncedReason:string Level__c:string Languages__c:string
"""


def _change_event(entity: str, fields: str) -> str:
    defined: set[str] = set()

    def kind(name: str) -> list[Any]:
        if name == "name":
            return ["null", "string", PERSON_NAME]
        if name == "address":  # the first address field defines the type, later ones name it
            first = "Address" not in defined
            defined.add("Address")
            return ["null", ADDRESS if first else "Address"]
        return ["null", name]

    body = [
        {"name": name, "type": kind(of), "default": None}
        for name, _, of in (item.partition(":") for item in fields.split())
    ]
    header = {"name": "ChangeEventHeader", "doc": "Data:ComplexValueType", "type": HEADER}
    record = {
        "type": "record",
        "name": f"{entity}ChangeEvent",
        "namespace": "com.sforce.eventbus",
        "fields": [header, *body],
    }
    return json.dumps(record)


def _platform_event(name: str, custom_fields: tuple[str, ...]) -> str:
    fields: list[dict[str, Any]] = [
        {"name": "CreatedDate", "type": "long", "doc": "CreatedDate:DateTime"},
        {"name": "CreatedById", "type": "string", "doc": "CreatedBy:EntityId"},
    ]
    for field in custom_fields:
        kind = "long" if field.endswith("Date__c") else "string"
        fields.append(
            {"name": field, "type": ["null", kind], "doc": f"Data:{kind}", "default": None}
        )
    return json.dumps(
        {"type": "record", "name": name, "namespace": "com.sforce.eventbus", "fields": fields}
    )


def schema_id(schema_json: str) -> str:
    """Return a schema id: 22 characters of base64url, derived from the schema's text.

    A real schema id also depends on its schema alone.
    """
    return (
        base64.urlsafe_b64encode(hashlib.sha256(schema_json.encode()).digest()[:16])
        .decode()
        .rstrip("=")
    )


DELETE_EVENT_FIELDS = (
    "Object_Name__c",
    "Record_Id__c",
    "Deleted_By__c",
    "Deleted_Date__c",
    "Owner_Id__c",
    "Record_Name__c",
)
DELETE_EVENT = _platform_event("Delete_Event__e", DELETE_EVENT_FIELDS)
ARCHIVE_EVENT = _platform_event("Archive_Event__e", DELETE_EVENT_FIELDS)
ACCOUNT = _change_event("Account", ACCOUNT_FIELDS)
CONTACT = _change_event("Contact", CONTACT_FIELDS)
SECOND_VERSIONS = {  # an admin has added a field
    DELETE_EVENT: _platform_event("Delete_Event__e", ("Reason__c", *DELETE_EVENT_FIELDS)),
    ACCOUNT: _change_event("Account", f"Added__c:string {ACCOUNT_FIELDS}"),
    CONTACT: _change_event("Contact", f"Added__c:string {CONTACT_FIELDS}"),
}
BY_ID = {
    schema_id(schema): schema
    for schema in (*SECOND_VERSIONS, *SECOND_VERSIONS.values(), ARCHIVE_EVENT)
}


def of(entity: str, *, second: bool = False) -> str:
    """Return the schema of an object's change events, or of the platform event.

    With ``second`` it is the second version of that schema.
    """
    schema = {"Account": ACCOUNT, "Contact": CONTACT}.get(entity, DELETE_EVENT)
    return SECOND_VERSIONS[schema] if second else schema
