// For another object, copy both files. Replace Account with the object's API name: twice here, and
// once in each file name.
trigger AccountDeleteEvent on Account (after delete) {
    DeleteEventPublisher.publish(Trigger.old);
}
