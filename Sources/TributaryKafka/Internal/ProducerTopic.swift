internal import CRdKafka
internal import TributaryCore

/// A topic that a producer writes to, with what it was told about each partition.
@safe final class ProducerTopic {
    let topic: KafkaTopic
    let count: Int32
    /// Outlives every record under way: the producer ends them before its topics.
    let deliveries: UnsafeMutablePointer<PartitionDeliveries>

    init(_ topic: KafkaTopic, number: Int, partitions: Int32, totals: UnsafeMutablePointer<DeliveryTotals>) {
        self.topic = topic
        count = partitions
        unsafe deliveries = .allocate(capacity: max(Int(partitions), 1))
        for partition in 0..<partitions {
            unsafe (deliveries + Int(partition)).initialize(
                to: PartitionDeliveries(totals: totals, topic: number, partition: partition))
        }
    }

    deinit { unsafe deliveries.deallocate() }

    func lastOffset(_ partition: Int32) -> Int64 {
        partition >= 0 && partition < count ? unsafe deliveries[Int(partition)].lastOffset : -1
    }
}
