/// The names of all record headers that lineage uses.
public enum HeaderNames {
    /// W3C trace context.
    public static let traceparent = "traceparent"
    /// W3C trace context: what vendors add.
    public static let tracestate = "tracestate"
    /// W3C baggage.
    public static let baggage = "baggage"
    /// Version and cell; marks a changelog record as ours.
    public static let cell = "tributary-cell"
    /// Context and cell of each record of a value that holds several.
    public static let elements = "tributary-elements"
    /// What the names of our own headers begin with.
    public static let prefix = "tributary-"
    /// Begins, in caches and on internal topics, the names of headers that a record got from rows that it read.
    public static let passed = "tributary-passed."

    /// Whether a header is lineage's and not the user's; the names of W3C's count in any case of their letters.
    package static func isReserved(_ name: String) -> Bool {
        let lower = name.lowercased()
        return lower == traceparent || lower == tracestate || name.hasPrefix(prefix)
    }
}

/// The names of all attributes of spans, links and resources, and the fixed values of some.
///
/// OpenTelemetry's semantic conventions 1.44 where they have a name; `tributary.*` where they have none.
public enum AttributeNames {
    // Resource.
    /// The application id.
    public static let serviceName = "service.name"
    /// One process of a service.
    public static let serviceInstanceID = "service.instance.id"
    /// The name of this library.
    public static let telemetrySDKName = "telemetry.sdk.name"
    /// `swift`.
    public static let telemetrySDKLanguage = "telemetry.sdk.language"
    /// The version of this library.
    public static let telemetrySDKVersion = "telemetry.sdk.version"
    /// The conformance case that spans belong to.
    public static let testCase = "tributary.case"

    // Messaging.
    /// `kafka`.
    public static let messagingSystem = "messaging.system"
    /// `process`, `send`, `poll`, `commit`.
    public static let messagingOperationName = "messaging.operation.name"
    /// `process`, `send`, `receive`, `settle`.
    public static let messagingOperationType = "messaging.operation.type"
    /// The topic.
    public static let messagingDestinationName = "messaging.destination.name"
    /// The partition, as text.
    public static let messagingDestinationPartition = "messaging.destination.partition.id"
    /// The application id.
    public static let messagingConsumerGroup = "messaging.consumer.group.name"
    /// How many records a batch operation covers.
    public static let messagingBatchCount = "messaging.batch.message_count"
    /// The record's offset.
    public static let messagingKafkaOffset = "messaging.kafka.offset"
    /// Whether the record has a null value.
    public static let messagingKafkaTombstone = "messaging.kafka.message.tombstone"
    /// The log's cluster id.
    public static let messagingKafkaCluster = "messaging.kafka.cluster.id"

    // State stores.
    /// The store's engine.
    public static let dbSystemName = "db.system.name"
    /// The application id.
    public static let dbNamespace = "db.namespace"
    /// The store.
    public static let dbCollectionName = "db.collection.name"
    /// `get`, `put`, `delete`, `range`, `flush`.
    public static let dbOperationName = "db.operation.name"

    // Errors.
    /// The name of an error, or its type.
    public static let errorType = "error.type"

    /// The type of an error that was dealt with.
    public static let exceptionType = "exception.type"
    /// Its words.
    public static let exceptionMessage = "exception.message"

    // Ours.
    /// Why a span links to another: ``LinkType/name``.
    public static let link = "tributary.link"
    /// `trigger` if the parent is what made the span happen and not what it came from.
    public static let parent = "tributary.parent"
    /// `false` if the span that a link names isn't exported, since its trace wasn't sampled.
    public static let linkSampled = "tributary.link.sampled"
    /// `false` if the parent isn't exported, since its trace wasn't sampled there.
    public static let parentSampled = "tributary.parent.sampled"
    /// How many contributions a span stands for, also where links were cut.
    public static let contributors = "tributary.lineage.contributors"
    /// Whether links of contributions are missing.
    public static let truncated = "tributary.lineage.truncated"
    /// The start of a row's window, ms.
    public static let windowStart = "tributary.window.start_ms"
    /// The end of a row's window, ms.
    public static let windowEnd = "tributary.window.end_ms"
    /// `kv`, `window`, `session`, `versioned`.
    public static let storeType = "tributary.store.type"
    /// What the names of attributes begin with that hold a record's headers.
    public static let headerPrefix = "tributary.header."
    /// Why a record, or what it led to, was left out: one of the reasons of `dropped_records`, or several.
    public static let dropReason = "tributary.drop.reason"
    /// `aborted` if what the span did was taken back, `open` if that wasn't known yet when it was exported.
    public static let attempt = "tributary.attempt"
    /// How long the record lay in the log before it was processed, by its timestamp, ms.
    public static let queueTime = "tributary.queue.time_ms"
    /// The task.
    public static let task = "tributary.task.id"
    /// The task's partition: that of its sources and changelogs.
    public static let taskPartition = "tributary.task.partition"
    /// The processor's name in the topology.
    public static let processor = "tributary.processor.name"
}
