mul(8)          g5<1>F          g6.4<0,1,0>F    g2<8,8,1>F      { align1 1Q compacted };
mul(8)          g8<1>F          g6.5<0,1,0>F    g2<8,8,1>F      { align1 1Q compacted };
mul(8)          g9<1>F          g6.6<0,1,0>F    g2<8,8,1>F      { align1 1Q };
mul(8)          g10<1>F         g6.7<0,1,0>F    g2<8,8,1>F      { align1 1Q };
mov(8)          g126<1>UD       g4<8,8,1>UD                     { align1 WE_all 1Q compacted };
mad(8)          g11<1>F         g5<4,4,1>F      g1<4,4,1>F      g6.0<0,1,0>F { align16 1Q };
mad(8)          g12<1>F         g8<4,4,1>F      g1<4,4,1>F      g6.1<0,1,0>F { align16 1Q };
mad(8)          g13<1>F         g9<4,4,1>F      g1<4,4,1>F      g6.2<0,1,0>F { align16 1Q };
mad(8)          g14<1>F         g10<4,4,1>F     g1<4,4,1>F      g6.3<0,1,0>F { align16 1Q };
mad(8)          g122<1>F        g11<4,4,1>F     g3<4,4,1>F      g7.0<0,1,0>F { align16 1Q };
mad(8)          g123<1>F        g12<4,4,1>F     g3<4,4,1>F      g7.1<0,1,0>F { align16 1Q };
mad(8)          g124<1>F        g13<4,4,1>F     g3<4,4,1>F      g7.2<0,1,0>F { align16 1Q };
mad(8)          g125<1>F        g14<4,4,1>F     g3<4,4,1>F      g7.3<0,1,0>F { align16 1Q };
sends(8)        nullUD          g126UD          g122UD          0x02080017                0x00000100
                            urb MsgDesc: offset 1 SIMD8 write  mlen 1 ex_mlen 4 rlen 0 { align1 1Q EOT };
