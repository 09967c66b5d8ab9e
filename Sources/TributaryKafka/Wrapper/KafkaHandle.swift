internal import CRdKafka
internal import Synchronization
internal import TributaryCore

/// One instance of librdkafka: its threads, connections and queues, until the last owner lets go.
///
/// Consumed messages hold it, since librdkafka waits for them before it ends.
@safe final class KafkaHandle: Sendable {
    /// What an instance is for.
    enum Kind {
        case consumer
        case producer
    }

    /// What librdkafka calls besides its log and its errors.
    enum Callback {
        case none
        case deliveries
        case rebalances
    }

    // librdkafka's calls may come from any thread.
    nonisolated(unsafe) let pointer: OpaquePointer
    let events: HandleEvents

    /// Makes an instance.
    init(
        _ kind: Kind, _ properties: KafkaProperties, logs: LogSink, callback: Callback = .none
    ) throws(LogError) {
        guard let configuration = unsafe rd_kafka_conf_new() else { throw LogError(.io, "no memory for a client") }
        events = HandleEvents(logs)
        var message = [CChar](repeating: 0, count: 512)
        for (name, value) in properties.list(for: kind) {
            let status = unsafe rd_kafka_conf_set(configuration, name, value, &message, message.count)
            guard status == RD_KAFKA_CONF_OK else {
                unsafe rd_kafka_conf_destroy(configuration)
                throw LogError(.configuration, text(message))
            }
        }
        let opaque = unsafe Unmanaged.passRetained(events)
        unsafe rd_kafka_conf_set_opaque(configuration, opaque.toOpaque())
        unsafe rd_kafka_conf_set_log_cb(configuration, tookLogLine)
        unsafe rd_kafka_conf_set_error_cb(configuration, tookError)
        switch callback {
        case .none: break
        case .deliveries: unsafe rd_kafka_conf_set_dr_msg_cb(configuration, tookDelivery)
        case .rebalances: unsafe rd_kafka_conf_set_rebalance_cb(configuration, rebalanced)
        }
        let type = kind == .consumer ? RD_KAFKA_CONSUMER : RD_KAFKA_PRODUCER
        guard let pointer = unsafe rd_kafka_new(type, configuration, &message, message.count) else {
            unsafe rd_kafka_conf_destroy(configuration)
            unsafe opaque.release()
            throw LogError(.configuration, text(message))
        }
        unsafe self.pointer = pointer
    }

    deinit {
        unsafe rd_kafka_destroy(pointer)
        unsafe Unmanaged.passUnretained(events).release()
    }

    /// Serves what callbacks wait for, without waiting.
    func serve() { _ = unsafe rd_kafka_poll(pointer, 0) }

    /// What made the instance unusable; nil if it isn't.
    var fatalError: LogError? {
        var message = [CChar](repeating: 0, count: 512)
        let code = unsafe rd_kafka_fatal_error(pointer, &message, message.count)
        return code == RD_KAFKA_RESP_ERR_NO_ERROR ? nil : LogError(kafka: code, text(message))
    }

    /// An error with what librdkafka last said about its connections, where that may be the cause.
    func error(
        _ code: rd_kafka_resp_err_t, _ what: String, topic: String? = nil, partition: Int32? = nil,
        offset: Int64? = nil
    ) -> LogError {
        serve()
        let error = LogError(kafka: code, what, topic: topic, partition: partition, offset: offset)
        guard error.code == .unavailable else { return error }
        return events.explain(error)
    }
}

/// What librdkafka tells besides results, on its own threads.
final class HandleEvents: Sendable {
    private struct Trouble {
        var text = ""
        var isDenied = false
    }

    private let logs: LogSink
    private let trouble = Guarded(Trouble())
    private let missing = Atomic<Bool>(false)
    private let member = Guarded<GroupMembership?>(nil)

    init(_ logs: LogSink) { self.logs = logs }

    /// Who is told of rebalances.
    var membership: GroupMembership? { member.withLock { $0 } }

    func follow(_ membership: GroupMembership) { member.withLock { $0 = membership } }

    func line(_ level: CInt, _ facility: String, _ text: String) {
        // The same properties go to producers and consumers.
        guard facility != "CONFWARN" else { return }
        if level <= 4 { trouble.withLock { $0.text = text } }
        let importance: LogLevel = level <= 4 ? .warning : level == 5 ? .notice : level == 6 ? .info : .debug
        logs(importance, "librdkafka says", [("facility", facility), ("text", text)], source: "TributaryKafka")
    }

    func error(_ code: rd_kafka_resp_err_t, _ text: String) {
        // Says less than the failure of the last connection, which was told before.
        guard code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN else { return }
        let error = LogError(kafka: code, text)
        if error.code == .unknownTopic { missing.store(true, ordering: .relaxed) }
        trouble.withLock { trouble in
            trouble.text = text
            if error.code == .denied { trouble.isDenied = true }
        }
    }

    /// Whether a partition was said to be gone since this was last asked.
    ///
    /// librdkafka says so by its error callback, from within the call that serves the partition's queue.
    func takeMissing() -> Bool {
        missing.load(ordering: .relaxed) && missing.exchange(false, ordering: .relaxed)
    }

    /// Whether a broker refused who we are: no waiting helps.
    var isDenied: Bool { trouble.withLock { $0.isDenied } }

    /// Adds to an error what was last heard of the connections.
    func explain(_ error: LogError) -> LogError {
        let (text, isDenied) = trouble.withLock { ($0.text, $0.isDenied) }
        return LogError(
            isDenied ? .denied : error.code, text.isEmpty ? error.message : "\(error.message): \(text)",
            topic: error.topic, partition: error.partition, offset: error.offset)
    }
}

private func tookLogLine(
    _ handle: OpaquePointer?, _ level: CInt, _ facility: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?
) {
    guard let handle = unsafe handle, let opaque = unsafe rd_kafka_opaque(handle), let facility = unsafe facility,
        let text = unsafe text
    else { return }
    let events = unsafe Unmanaged<HandleEvents>.fromOpaque(opaque).takeUnretainedValue()
    unsafe events.line(level, String(cString: facility), String(cString: text))
}

private func tookError(
    _ handle: OpaquePointer?, _ code: CInt, _ reason: UnsafePointer<CChar>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let opaque = unsafe opaque, let reason = unsafe reason else { return }
    let events = unsafe Unmanaged<HandleEvents>.fromOpaque(opaque).takeUnretainedValue()
    unsafe events.error(rd_kafka_resp_err_t(rawValue: code), String(cString: reason))
}

/// The text of a buffer that ends with a zero.
func text(_ buffer: [CChar]) -> String {
    String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
