internal import CRdKafka
internal import TributaryCore

#if canImport(Glibc)
    internal import Glibc
#elseif canImport(Darwin)
    internal import Darwin
#endif

/// A list of partitions with offsets, as most of librdkafka's calls take and fill in.
@safe struct PartitionList: ~Copyable {
    /// One partition of a list.
    struct Entry {
        var place: TopicPartition
        var offset: Int64
        var metadata: String
        var code: rd_kafka_resp_err_t
    }

    let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    /// An empty list.
    init(capacity: Int) { unsafe pointer = rd_kafka_topic_partition_list_new(CInt(clamping: capacity)) }

    /// A list of partitions.
    init(_ places: some Collection<TopicPartition>) {
        self.init(capacity: places.count)
        for place in places { add(place) }
    }

    deinit { unsafe rd_kafka_topic_partition_list_destroy(pointer) }

    /// Adds a partition; the metadata is copied into memory that the list frees.
    func add(_ place: TopicPartition, offset: Int64? = nil, metadata: String = "") {
        guard let entry = unsafe rd_kafka_topic_partition_list_add(pointer, place.topic, place.partition) else {
            return
        }
        if let offset { unsafe entry.pointee.offset = offset }
        guard !metadata.isEmpty else { return }
        var metadata = metadata
        metadata.withUTF8 { bytes in
            guard let from = bytes.baseAddress, let copy = unsafe malloc(bytes.count) else { return }
            unsafe copy.copyMemory(from: from, byteCount: bytes.count)
            unsafe entry.pointee.metadata = copy
            unsafe entry.pointee.metadata_size = bytes.count
        }
    }

    /// A copy of all entries.
    var entries: [Entry] { unsafe PartitionList.entries(pointer) }

    /// The entries of a list that belongs to someone else.
    @unsafe static func entries(_ list: UnsafePointer<rd_kafka_topic_partition_list_t>) -> [Entry] {
        (0..<max(Int(unsafe list.pointee.cnt), 0)).map { index in
            let entry = unsafe list.pointee.elems[index]
            var metadata = ""
            if let bytes = unsafe entry.metadata {
                metadata = unsafe String(
                    decoding: UnsafeRawBufferPointer(start: bytes, count: entry.metadata_size), as: UTF8.self)
            }
            return unsafe Entry(
                place: TopicPartition(String(cString: entry.topic), entry.partition), offset: entry.offset,
                metadata: metadata, code: entry.err)
        }
    }
}
