// For another object, copy both files. Replace Lead with the object's API name: twice here, and
// once in each file name. If the object knows no undelete, remove "after undelete" and its branch.
trigger LeadDeleteEvent on Lead (after delete, after undelete) {
    if (Trigger.isUndelete) {
        DeleteEventPublisher.publishRestored(Trigger.new);
    } else {
        DeleteEventPublisher.publish(Trigger.old);
    }
}
