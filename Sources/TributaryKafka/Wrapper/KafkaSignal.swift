internal import CRdKafka
internal import TributaryCore

/// Wakes a waiting thread from any other; a signal that nobody waits for ends the next wait.
@safe final class KafkaSignal: Sendable {
    // A queue that is never filled: waiting for it and ending the wait are all that is done.
    nonisolated(unsafe) private let queue: OpaquePointer
    private let handle: KafkaHandle

    init(_ handle: KafkaHandle) {
        self.handle = handle
        unsafe queue = rd_kafka_queue_new(handle.pointer)
    }

    deinit { unsafe rd_kafka_queue_destroy(queue) }

    func signal() { unsafe rd_kafka_queue_yield(queue) }

    /// Waits at most so long; below 0 without end.
    func wait(milliseconds: Int64) {
        if let event = unsafe rd_kafka_queue_poll(queue, CInt(clamping: milliseconds)) {
            unsafe rd_kafka_event_destroy(event)
        }
    }
}
