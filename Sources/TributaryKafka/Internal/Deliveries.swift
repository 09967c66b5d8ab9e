internal import CRdKafka
internal import TributaryCore

/// What one partition of a producer's topic has been told about its records.
@safe struct PartitionDeliveries {
    let totals: UnsafeMutablePointer<DeliveryTotals>
    let topic: Int
    let partition: Int32
    /// The offset of the last record written; -1 if there was none.
    var lastOffset: Int64 = -1
    /// How many records are under way.
    var pending = 0
    /// Whether a broker has taken a record: it then knows this producer, and the order of what follows.
    var isProven = false
}

/// What a producer has handed over and has not been told about, and what failed.
struct DeliveryTotals {
    struct Failure {
        var code: rd_kafka_resp_err_t
        var topic: Int
        var partition: Int32
    }

    var pendingRecords = 0
    var pendingBytes = 0
    var failures = 0
    var first: Failure?
}

/// Takes one delivery report, on the producer's own thread: librdkafka calls it from within its polls, for many in a row.
///
/// The record's opaque pointer is where its partition is accounted; nothing is looked up.
func tookDelivery(
    _ handle: OpaquePointer?, _ message: UnsafePointer<rd_kafka_message_t>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let message = unsafe message, let place = unsafe message.pointee._private else { return }
    let deliveries = unsafe place.assumingMemoryBound(to: PartitionDeliveries.self)
    let totals = unsafe deliveries.pointee.totals
    unsafe deliveries.pointee.pending -= 1
    unsafe totals.pointee.pendingRecords -= 1
    unsafe totals.pointee.pendingBytes -= message.pointee.len + message.pointee.key_len
    let code = unsafe message.pointee.err
    guard code == RD_KAFKA_RESP_ERR_NO_ERROR else {
        unsafe totals.pointee.failures += 1
        if unsafe totals.pointee.first == nil {
            unsafe totals.pointee.first = DeliveryTotals.Failure(
                code: code, topic: deliveries.pointee.topic, partition: deliveries.pointee.partition)
        }
        return
    }
    unsafe deliveries.pointee.isProven = true
    if unsafe message.pointee.offset > deliveries.pointee.lastOffset {
        unsafe deliveries.pointee.lastOffset = message.pointee.offset
    }
}
