// For another object: copy both files and put its API name for Account, twice here and once in each file name.
trigger AccountDeleteEvent on Account (after delete) {
    DeleteEventPublisher.publish(Trigger.old);
}
